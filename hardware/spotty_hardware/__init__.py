"""Motion and contact inputs on a Raspberry Pi's pins.

`inputs` is the door: name the inputs, hand over a pin factory, receive edges. Everything else stands behind it.
"""
