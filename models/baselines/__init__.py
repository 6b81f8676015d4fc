"""What RxT is measured against: a stateless decoder of about equal size that reads the whole conversation."""
