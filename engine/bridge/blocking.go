package bridge

import (
	"context"
	"encoding/json"

	"pylego/engine/caller"
	"pylego/engine/dropin"
	"pylego/engine/fault"
	"pylego/engine/report"
)

// RunLegoCommand is the one blocking call, for programs in C: run_lego_command's
// message in, {"success": ..., "data" or "error": ...} out.
func RunLegoCommand(message string, here caller.Caller) []byte {
	var answer struct {
		Success bool         `json:"success"`
		Error   *ErrorData   `json:"error,omitempty"`
		Data    *dropin.Data `json:"data,omitempty"`
	}
	err := fault.Guard(func() (err error) {
		answer.Data, err = dropin.Run(context.Background(), dropin.Input{Caller: here, Message: message}, report.Discard)
		return err
	})
	if answer.Success = err == nil; err != nil {
		answer.Error = Describe(err)
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return []byte(`{"success":false,"error":{"type":"lego","code":"marshaling_failed","detail":"cannot encode the answer"}}`)
	}
	return encoded
}
