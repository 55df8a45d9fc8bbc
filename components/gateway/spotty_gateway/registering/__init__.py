"""How this gateway comes to belong to somebody: its key, its claim at the cloud, and the files a nucleus needs.

Only `spotty register` loads this; the gateway that runs for years does not.
"""
