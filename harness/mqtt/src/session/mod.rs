//! A whole MQTT client for devices.
