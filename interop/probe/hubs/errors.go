package hubs

import "github.com/spokehub/spoke"

// The errors have the type names that .NET's have, since detailed errors show them.

// invalidOperation is .NET's InvalidOperationException.
type invalidOperation struct{ text string }

func (e *invalidOperation) Error() string     { return e.text }
func (e *invalidOperation) ErrorName() string { return "InvalidOperationException" }

// myHubError is a kind of HubError with a name of its own.
type myHubError struct{ *spoke.HubError }

func (e *myHubError) ErrorName() string { return "MyHubException" }

func hubError(text string) error { return &spoke.HubError{Text: text} }
