"""The shapes of requests and answers, one module per noun. Requests refuse fields they do not know; answers may grow."""
