"""A checkpoint judged before it is deployed: rules by family, each with a code, a why and a next step."""
