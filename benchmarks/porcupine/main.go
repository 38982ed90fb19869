// Checks histories with Porcupine, for benchmarks/checker.py: JSON lines in, one line of JSON with the result out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

// An operation as benchmarks/checker.py writes it. Kind is read, write, cas or append; Unknown: it was not answered.
type operation struct {
	Client  int
	Key     string
	Kind    string
	Call    int64
	Return  int64
	Sees    string
	Sets    string
	Swapped bool
	Unknown bool
}

type history struct {
	Name       string
	Initial    string
	TimeoutS   float64
	Operations []operation
}

type result struct {
	Name    string
	Verdict string
	WallS   float64
	CPUS    float64
	PeakMB  int64
}

func model(initial string) porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string][]porcupine.Operation{}
			for _, each := range all {
				key := each.Input.(*operation).Key
				byKey[key] = append(byKey[key], each)
			}
			parts := make([][]porcupine.Operation, 0, len(byKey))
			for _, part := range byKey {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() interface{} { return initial },
		Step: func(state, input, output interface{}) (bool, interface{}) {
			is, op := state.(string), input.(*operation)
			switch op.Kind {
			case "read":
				return op.Unknown || is == op.Sees, is
			case "write":
				return true, op.Sets
			case "append":
				return true, is + op.Sets
			}
			if is == op.Sees {
				return op.Unknown || op.Swapped, op.Sets
			}
			return op.Unknown || !op.Swapped, is
		},
		Hash: func(state interface{}) uint64 {
			hash := fnv.New64a()
			hash.Write([]byte(state.(string)))
			return hash.Sum64()
		},
	}
}

func usage() (float64, int64) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	spent := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return spent.Seconds(), used.Maxrss / 1024
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	decoder := json.NewDecoder(in)
	for decoder.More() {
		var each history
		if err := decoder.Decode(&each); err != nil {
			fmt.Fprintln(os.Stderr, "not a history:", err)
			os.Exit(1)
		}
		operations := make([]porcupine.Operation, len(each.Operations))
		for i := range each.Operations {
			op := &each.Operations[i]
			operations[i] = porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Output: nil, Return: op.Return}
		}
		cpu, _ := usage()
		began := time.Now()
		timeout := time.Duration(each.TimeoutS * float64(time.Second))
		verdict := porcupine.CheckOperationsTimeout(model(each.Initial), operations, timeout)
		wall := time.Since(began).Seconds()
		cpuNow, peak := usage()
		line, _ := json.Marshal(result{each.Name, string(verdict), wall, cpuNow - cpu, peak})
		fmt.Println(string(line))
	}
}
