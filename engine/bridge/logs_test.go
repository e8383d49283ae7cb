package bridge

import (
	"log"
	"log/slog"
	"slices"
	"testing"

	legolog "github.com/go-acme/lego/v5/log"
)

// logs redirects Go's loggers for one test, and not the process's streams.
func logs(t *testing.T, level slog.Level) {
	t.Helper()
	old, oldFlags, oldWriter := slog.Default(), log.Flags(), log.Writer()
	oldLevel := logLevel.Level()
	logger := slog.New(logHandler{})
	slog.SetDefault(logger)
	legolog.SetDefault(logger)
	logLevel.Set(level)
	t.Cleanup(func() {
		slog.SetDefault(old)
		legolog.SetDefault(old)
		log.SetFlags(oldFlags)
		log.SetOutput(oldWriter)
		logLevel.Set(oldLevel)
	})
}

func TestLogRecordsReachAllEnginesWithTheirLevel(t *testing.T) {
	logs(t, slog.LevelDebug)
	engines := []*Engine{open(t, table), open(t, table)}
	slog.With("a", 1).WithGroup("g").Warn("careful", "b", 2)
	slog.Debug("detail")
	log.Print("of Go's own")
	for _, e := range engines {
		var levels []string
		all := collect(t, e, func(m received) bool {
			levels = append(levels, m.Log.Level+" "+m.Log.Message)
			return len(levels) == 3
		})
		if !slices.Equal(levels, []string{"WARN careful", "DEBUG detail", "INFO of Go's own"}) {
			t.Errorf("%q", levels)
		}
		if all[0].Job != 0 || all[0].Log.Attributes["g.b"] != "2" || len(all[0].Log.Attributes) != 2 {
			t.Errorf("%+v", all[0].Log)
		}
	}
}

func TestWhatTheCallerWouldDropIsNotSent(t *testing.T) {
	logs(t, slog.LevelWarn)
	e := open(t, table)
	slog.Info("nobody wants it")
	if batch := e.Next(0); batch != nil {
		t.Errorf("%s", batch)
	}
	end(t, e, start(e, []byte(`{"operation": "echo", "input": {}, "log_level": "INFO"}`)))
	slog.Info("now it is wanted")
	if batch := e.Next(0); batch == nil {
		t.Error("nothing was sent")
	}
	end(t, e, start(e, []byte(`{"operation": "echo", "input": {}, "log_level": "nonsense"}`)))
	if logLevel.Level() != slog.LevelInfo {
		t.Error(logLevel.Level())
	}
}

func TestALogRecordIsOneMessageEvenOfAnAwkwardValue(t *testing.T) {
	logs(t, slog.LevelDebug)
	e := open(t, table)
	slog.Warn("awkward", "channel", make(chan int), "nil", nil, "text", "\xff\x00")
	if all := collect(t, e, func(received) bool { return true }); all[0].Type != LogMessage {
		t.Errorf("%+v", all[0])
	}
}
