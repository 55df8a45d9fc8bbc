"""For whoever runs the stack: what lies in the dead letter queue, and how to give it another try."""
