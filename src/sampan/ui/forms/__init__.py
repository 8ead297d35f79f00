"""Forms: fields with a label, a hint and an error, each one element of our own (`field.js`), and what holds them."""
