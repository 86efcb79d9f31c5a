"""Problems with known solution operators: equations, and triples of their inputs and solutions."""
