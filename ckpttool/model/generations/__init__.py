"""The dialects of Keras before 3: what generation a config is of, what its layers are today, how their weights lie in
legacy files."""
