const total = 1;
result = ;
