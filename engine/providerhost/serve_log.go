package providerhost

import (
	"context"
	"log/slog"
	"os"
	"strconv"
)

// newLogger sends what lego and its providers log as frames: the engine's
// process decides what to show.
func newLogger(out *frameWriter) *slog.Logger {
	return slog.New(&frameHandler{out: out})
}

type frameHandler struct {
	out    *frameWriter
	prefix string // of groups
	attrs  map[string]string
}

func (h *frameHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *frameHandler) Handle(_ context.Context, record slog.Record) error {
	body := logBody{Level: int(record.Level), Attrs: make(map[string]string, len(h.attrs)+record.NumAttrs())}
	body.Message, body.Cut = cut(record.Message)
	for key, value := range h.attrs {
		body.Attrs[key] = value
	}
	record.Attrs(func(attr slog.Attr) bool {
		h.flatten(body.Attrs, h.prefix, attr)
		return true
	})
	return h.out.write(0, kindLog, body)
}

func (h *frameHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := h.clone()
	for _, attr := range attrs {
		h.flatten(next.attrs, h.prefix, attr)
	}
	return next
}

func (h *frameHandler) WithGroup(name string) slog.Handler {
	next := h.clone()
	next.prefix += name + "."
	return next
}

func (h *frameHandler) clone() *frameHandler {
	next := &frameHandler{out: h.out, prefix: h.prefix, attrs: make(map[string]string, len(h.attrs))}
	for key, value := range h.attrs {
		next.attrs[key] = value
	}
	return next
}

// flatten writes an attribute as text. One that is too long is left out whole:
// a part of it could be half a secret.
func (h *frameHandler) flatten(attrs map[string]string, prefix string, attr slog.Attr) {
	value := attr.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		for _, inner := range value.Group() {
			h.flatten(attrs, prefix+attr.Key+".", inner)
		}
		return
	}
	text := value.String()
	if len(text) > maxMessage/16 {
		text = "(" + strconv.Itoa(len(text)) + " bytes)"
	}
	attrs[prefix+attr.Key] = text
}

func cut(text string) (string, bool) {
	if len(text) <= maxMessage {
		return text, false
	}
	return text[:maxMessage], true
}

// tcpOnly is what lego reads from the environment only where it is given no resolvers.
func tcpOnly() bool {
	only, _ := strconv.ParseBool(os.Getenv("LEGO_EXPERIMENTAL_DNS_TCP_ONLY"))
	return only
}
