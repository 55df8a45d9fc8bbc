"""The component that runs on the Pi: motion in, music out."""
