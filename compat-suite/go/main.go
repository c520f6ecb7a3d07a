// The AWS SDK for Go v2 against SQUAB_ENDPOINT. Every check names the behaviours that it proves, and
// its outcome goes to SQUAB_COMPAT_RESULTS; see ../python/suite/conductor.py. An argument selects
// checks by a part of their name.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

const patience = 60 * time.Second

// A check panics when it finds otherwise.
type check struct {
	name       string
	behaviours []string
	run        func(*clients)
}

func main() {
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	tell(map[string]any{"version": version()})
	status := 0
	for _, one := range append(sqsChecks, snsChecks...) {
		if !strings.Contains(one.name, wanted) {
			continue
		}
		start := time.Now()
		outcome := outcomeOf(one)
		if outcome == "failed" {
			status = 1
		}
		fmt.Printf("%s %s\n", outcome, one.name)
		tell(map[string]any{
			"test": one.name, "behaviours": one.behaviours,
			"outcome": outcome, "seconds": time.Since(start).Seconds(),
		})
	}
	os.Exit(status)
}

func outcomeOf(one check) string {
	finished := make(chan string, 1)
	go func() {
		aws := newClients()
		defer func() {
			problem := recover()
			aws.cleanUp()
			if problem != nil {
				fmt.Printf("%s: %v\n%s\n", one.name, problem, debug.Stack())
				finished <- "failed"
				return
			}
			finished <- "passed"
		}()
		one.run(aws)
	}()
	select {
	case outcome := <-finished:
		return outcome
	case <-time.After(patience):
		fmt.Printf("%s: did not end within %s\n", one.name, patience)
		return "failed"
	}
}

// The version of the SDK's client of SQS, as its source has it.
func version() string {
	file := filepath.Join(os.Getenv("SDK_SOURCE"), "service/sqs/go_module_metadata.go")
	text, _ := os.ReadFile(file)
	if found := regexp.MustCompile(`goModuleVersion = "(.*)"`).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// Appends a report.
func tell(report map[string]any) {
	report["client"] = "go"
	line, err := json.Marshal(report)
	must(err)
	file, err := os.OpenFile(os.Getenv("SQUAB_COMPAT_RESULTS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(err)
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	must(err)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Panics unless both print alike.
func same(found, expected any) {
	if f, e := fmt.Sprint(found), fmt.Sprint(expected); f != e {
		panic(fmt.Sprintf("found %s, expected %s", f, e))
	}
}
