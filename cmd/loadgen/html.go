package main

func (r *result) writeHTML(string) error { return nil }
