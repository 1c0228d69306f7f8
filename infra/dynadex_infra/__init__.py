"""CDK constructs that deploy a Sync on AWS: each usable alone, and the stacks that put them together."""
