"""What is wrong with a gateway, and how to mend it: facts are probed, judged by small pure functions, and told."""
