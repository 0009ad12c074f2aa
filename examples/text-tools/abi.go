//go:build wasip1

// The canonical ABI of the component model, as far as this tool needs it: how strings come in, and
// how strings, lists and records go out.
//
// The structs here consist of 32-bit words only, so Go lays them out exactly as the canonical ABI
// wants it. Addresses are plain numbers that the garbage collector does not see; what the host has
// yet to read is therefore kept in a list of its own.
package main

import "unsafe"

// arguments holds the memory that the host asked for and has filled, by address, until the call
// that it belongs to takes it.
var arguments = map[uint32][]uint64{}

// results holds what the host is going to read after a call has returned.
var results []any

// reallocate gives the host memory for arguments. Words of 64 bits satisfy every alignment.
//
//go:wasmexport cabi_realloc
func reallocate(oldAddress, oldSize, alignment, newSize uint32) uint32 {
	words := make([]uint64, (newSize+7)/8+1)
	copy(words, arguments[oldAddress])
	delete(arguments, oldAddress)
	address := addressOf(unsafe.SliceData(words))
	arguments[address] = words
	return address
}

// release forgets the results of a call, once the host has read them.
func release() {
	results = nil
}

func addressOf[T any](pointer *T) uint32 {
	return uint32(uintptr(unsafe.Pointer(pointer)))
}

// takeString makes a Go string of an argument and frees the memory of the argument.
func takeString(address, length uint32) string {
	words := arguments[address]
	delete(arguments, address)
	if length == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), length))
}

// abiSpan is a string or a list.
type abiSpan struct {
	address uint32
	length  uint32
}

// abiOption is an optional string. The discriminant is one byte followed by three of padding, which
// is the same as a little-endian word.
type abiOption struct {
	isSome uint32
	value  abiSpan
}

// give keeps a value until the host has read it, and says where it is.
func give[T any](value T) uint32 {
	kept := &value
	results = append(results, kept)
	return addressOf(kept)
}

func giveString(text string) abiSpan {
	if text == "" {
		// The data of an empty string may be a null pointer, or one past the end of another.
		return abiSpan{address: 1}
	}
	results = append(results, text)
	return abiSpan{addressOf(unsafe.StringData(text)), uint32(len(text))}
}

func giveOption(text *string) abiOption {
	if text == nil {
		return abiOption{}
	}
	return abiOption{1, giveString(*text)}
}

func giveList[From, To any](values []From, lower func(From) To) abiSpan {
	if len(values) == 0 {
		// Any aligned address does.
		return abiSpan{address: 8}
	}
	lowered := make([]To, len(values))
	for i, value := range values {
		lowered[i] = lower(value)
	}
	results = append(results, lowered)
	return abiSpan{addressOf(unsafe.SliceData(lowered)), uint32(len(lowered))}
}
