//! The backend's arithmetic on limbs at their extremes, against whole numbers.
