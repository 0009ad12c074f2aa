// A tool that counts, searches, compares and shortens text. The work is done in the files named
// after the functions; exports.go and abi.go carry it over the border of the component.
package main

// The functions are called from outside; there is nothing to do at the start.
func main() {}
