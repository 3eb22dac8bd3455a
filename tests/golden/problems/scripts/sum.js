result = context.a + context.b;
