"""CDK constructs that deploy a Sync to AWS, each usable alone, and the stacks that combine them."""
