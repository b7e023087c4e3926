package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	t.Parallel()
	p := newPage()
	for name, c := range map[string]struct {
		method, path string
		status       int
		contentType  string
		cache        string
	}{
		"page":         {"GET", "/", 200, "text/html; charset=utf-8", "no-store"},
		"page, head":   {"HEAD", "/", 200, "text/html; charset=utf-8", "no-store"},
		"style":        {"GET", "/style.css", 200, "text/css; charset=utf-8", "no-cache"},
		"script":       {"GET", "/app.js", 200, "text/javascript; charset=utf-8", "no-cache"},
		"icon":         {"GET", "/icon.svg", 200, "image/svg+xml", "no-cache"},
		"by name":      {"GET", "/index.html", 404, "text/plain; charset=utf-8", "no-store"},
		"nothing":      {"GET", "/nothing", 404, "text/plain; charset=utf-8", "no-store"},
		"path above":   {"GET", "/../page.go", 404, "text/plain; charset=utf-8", "no-store"},
		"other method": {"POST", "/", 405, "text/plain; charset=utf-8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			p.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
			h := w.Header()
			if w.Code != c.status || h.Get("Content-Type") != c.contentType || h.Get("Cache-Control") != c.cache {
				t.Errorf("%d, type %q, cache %q", w.Code, h.Get("Content-Type"), h.Get("Cache-Control"))
			}
			if c.method == "HEAD" && w.Body.Len() > 0 {
				t.Error("a body for HEAD")
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options":       "nosniff",
				"X-Frame-Options":              "DENY",
				"Referrer-Policy":              "no-referrer",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Content-Security-Policy":      contentSecurityPolicy,
			} {
				if h.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, h.Get(name), want)
				}
			}
		})
	}
}

func TestPageIsCached(t *testing.T) {
	t.Parallel()
	p := newPage()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/app.js", nil))
	again := httptest.NewRequest(http.MethodGet, "/app.js", nil)
	again.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	p.ServeHTTP(w, again)
	if w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("%d with %d bytes, want 304", w.Code, w.Body.Len())
	}
}

var reference = regexp.MustCompile(`(?:src|href)="([^"#][^"]*)"|from "([^"]+)"|url\(([^)]+)\)|@import ([^;]+)`)

// The page works offline: whatever it refers to is embedded. And nothing in it writes markup from data, or needs more
// than its policy allows.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	p := newPage()
	for path, f := range p.files {
		for _, m := range reference.FindAllSubmatch(f.content, -1) {
			target := string(bytes.Join(m[1:], nil))
			if _, ok := p.files["/"+strings.TrimPrefix(target, "./")]; !ok {
				t.Errorf("%s refers to %s, which is not embedded", path, target)
			}
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=\"", " onclick=", "<script>", "<style>"} {
			if bytes.Contains(f.content, []byte(bad)) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
}
