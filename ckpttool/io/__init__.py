"""Reading untrusted bytes, texts and numbers, and writing files as a whole: the ground floor of all other rooms."""
