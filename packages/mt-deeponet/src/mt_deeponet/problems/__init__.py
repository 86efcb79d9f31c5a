"""Problems that share a form: Fisher with several reaction laws, Darcy on several shapes, plates with holes."""
