"""What runs in AWS: settings kept, sessions collected. Never between a motion and its music."""
