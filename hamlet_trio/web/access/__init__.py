"""Who may do what: roles, tokens, logins, the addresses of clients, and limits for each of them."""
