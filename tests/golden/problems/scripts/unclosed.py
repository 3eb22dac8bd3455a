result = (1,
