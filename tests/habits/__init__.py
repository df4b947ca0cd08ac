"""Habits of people who use Keras, beside the textbook: models of genuine old Keras, converted and judged by Keras 3."""
