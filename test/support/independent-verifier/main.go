// Accepts or refuses what the audit log answers, by implementations that are not ours: Go's sumdb/note for signed notes and
// transparency-dev/merkle for proofs. Standard input: {"keys": [verifier keys], "inclusion": [...], "consistency": [...]}.
// Standard output: {"inclusion": [reason or ""], "consistency": [reason or ""]}; "" means accepted.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type claims struct {
	Keys      []string
	Inclusion []struct {
		Note        string
		Index, Size uint64
		Leaf        []byte // base64, as every []byte here
		Hashes      [][]byte
	}
	Consistency []struct {
		From, To string // notes
		Hashes   [][]byte
	}
}

type checkpoint struct {
	size uint64
	root []byte
}

func open(text string, keys note.Verifiers) (checkpoint, error) {
	opened, err := note.Open([]byte(text), keys)
	if err != nil {
		return checkpoint{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		return checkpoint{}, fmt.Errorf("not a checkpoint of the key's log")
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return checkpoint{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	return checkpoint{size, root}, err
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func run() error {
	var given claims
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return err
	}
	var verifiers []note.Verifier
	for _, text := range given.Keys {
		verifier, err := note.NewVerifier(text)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	keys := note.VerifierList(verifiers...)
	answer := struct {
		Inclusion   []string `json:"inclusion"`
		Consistency []string `json:"consistency"`
	}{[]string{}, []string{}}
	for _, claim := range given.Inclusion {
		at, err := open(claim.Note, keys)
		if err == nil && at.size != claim.Size {
			err = fmt.Errorf("the note has another size")
		}
		if err == nil {
			err = proof.VerifyInclusion(rfc6962.DefaultHasher, claim.Index, at.size, claim.Leaf, claim.Hashes, at.root)
		}
		answer.Inclusion = append(answer.Inclusion, reason(err))
	}
	for _, claim := range given.Consistency {
		from, err := open(claim.From, keys)
		var to checkpoint
		if err == nil {
			to, err = open(claim.To, keys)
		}
		if err == nil {
			err = proof.VerifyConsistency(rfc6962.DefaultHasher, from.size, to.size, claim.Hashes, from.root, to.root)
		}
		answer.Consistency = append(answer.Consistency, reason(err))
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
