"""The test rig: guests, their images and network, and the servers they use."""
