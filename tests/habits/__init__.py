"""What people do with Keras beside the textbook: models of genuine old Keras, converted and judged by Keras 3."""
