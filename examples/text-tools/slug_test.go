package main

import "testing"

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"Größe über Ærø":              "grosse-uber-aero",
		"  Hello,   World!  ":         "hello-world",
		"It’s Łódź, isn't it?":        "its-lodz-isnt-it",
		"ﬁne ２０２６":                    "fine-2026",
		"İstanbul":                    "istanbul",
		"Ελλάδα":                      "ελλάδα",
		"Йод и ёж":                    "йод-и-ёж",
		"हिन्दी भाषा":                 "हिन्दी-भाषा",
		"日本語 テスト":                     "日本語-テスト",
		"C++ / C#":                    "c-c",
		"...":                         "",
		"":                            "",
		"e\u0301tude \u0301 a\u00ADb": "etude-ab",
	} {
		if got := Slug(text); got != want {
			t.Errorf("Slug(%q) = %q, want %q", text, got, want)
		}
	}
}
