package secret

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	daead "github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// keySize makes AES-256-GCM.
const keySize = 32

// What a key that is not the first of its database has sealed begins with a mark and the id of the key. What the first key has
// sealed has neither, so that nothing had to be sealed again when there was a second one.
const (
	sealMark = "\x00mk1"
	idSize   = 8
)

// noKey is no id of a key.
const noKey = "none"

var errNoKey = errors.New("there is no encryption key yet")

// key is one encryption key.
type key struct {
	id   string // idSize bytes that say nothing of the key
	aead *subtle.AESGCM
	siv  *daead.AESSIV // of cursors
}

// Keyring seals what is stored, and the cursors that clients see, with the encryption keys of a database: one encrypts, and all
// decrypt. Whether a key may be created is known only once the database is open, so a keyring may have none at first.
type Keyring struct {
	dir    string
	source string // where the keys come from, for messages
	keys   []key
	now    int    // the one that encrypts
	plain  string // the id of the key whose seals have no mark; noKey: it is not given; empty: not known yet
}

// Encrypt implements store.Cipher.
func (k *Keyring) Encrypt(plain, ad []byte) ([]byte, error) {
	if len(k.keys) == 0 {
		return nil, errNoKey
	}
	sealed, err := k.keys[k.now].aead.Encrypt(plain, ad)
	return append([]byte(k.Prefix()), sealed...), err
}

// Decrypt implements store.Cipher.
func (k *Keyring) Decrypt(sealed, ad []byte) ([]byte, error) {
	plain, _, err := k.open(sealed, ad)
	return plain, err
}

// open decrypts with the key that has sealed a value, and returns its id.
func (k *Keyring) open(sealed, ad []byte) ([]byte, string, error) {
	if len(k.keys) == 0 {
		return nil, "", errNoKey
	}
	if id := sealedBy(sealed); id != "" {
		for i := range k.keys {
			if k.keys[i].id == id {
				plain, err := k.keys[i].aead.Decrypt(sealed[len(sealMark)+idSize:], ad)
				return plain, id, err
			}
		}
		return nil, "", fmt.Errorf("it was sealed with the key %s, which is not given", KeyName(id))
	}
	var err error
	for i := range k.keys {
		if k.plain != "" && k.keys[i].id != k.plain {
			continue
		}
		plain, wrong := k.keys[i].aead.Decrypt(sealed, ad)
		if wrong == nil {
			return plain, k.keys[i].id, nil
		}
		err = wrong
	}
	if err == nil {
		err = errors.New("it was sealed with the first key of the database, which is not given")
	}
	return nil, "", err
}

// sealedBy returns the id of the key that a sealed value names; empty: it names none.
func sealedBy(sealed []byte) string {
	if len(sealed) < len(sealMark)+idSize || string(sealed[:len(sealMark)]) != sealMark {
		return ""
	}
	return string(sealed[len(sealMark) : len(sealMark)+idSize])
}

// KeyName returns the id of a key as people see it.
func KeyName(id string) string { return hex.EncodeToString([]byte(id)) }

// HasKey reports whether there is a key.
func (k *Keyring) HasKey() bool { return len(k.keys) > 0 }

// Source says where the keys come from: a file, or an option.
func (k *Keyring) Source() string { return k.source }

// IDs returns the ids of the keys, in the order in which they are given.
func (k *Keyring) IDs() []string {
	out := make([]string, len(k.keys))
	for i := range k.keys {
		out[i] = k.keys[i].id
	}
	return out
}

// Current returns the id of the key that encrypts.
func (k *Keyring) Current() string { return k.keys[k.now].id }

// Prefix returns what every value begins with that the current key seals; empty when that is the first key of the database.
func (k *Keyring) Prefix() string {
	if id := k.Current(); k.plain != "" && id != k.plain {
		return sealMark + id
	}
	return ""
}

// Check is what a keyring finds out about a check value, which was sealed by a key of the database.
type Check struct {
	Key    string // its id; empty: not known, because it is not given and its seals have no mark
	Given  bool
	Marked bool // its seals have a mark
}

// Marks returns what the seals of the key begin with or, with true, do not begin with.
func (c Check) Marks() (string, bool) {
	if !c.Marked {
		return sealMark, true
	}
	return sealMark + c.Key, false
}

// Learn looks at the check values of a database, one of each key that has sealed values there, the newest last. From then on the
// keyring knows which of its keys seals without a mark, and encrypts with the newest one that it has.
func (k *Keyring) Learn(checks [][]byte, ad []byte) []Check {
	out := make([]Check, len(checks))
	plain := noKey
	if len(checks) == 0 {
		plain = k.keys[0].id
	}
	k.plain = ""
	for i, value := range checks {
		out[i] = Check{Key: sealedBy(value), Marked: sealedBy(value) != ""}
		_, id, err := k.open(value, ad)
		if err != nil {
			continue
		}
		out[i].Key, out[i].Given, k.now = id, true, slices.Index(k.IDs(), id)
		if !out[i].Marked {
			plain = id
		}
	}
	k.plain = plain
	return out
}

// Others returns what the seals of all keys but the current one begin with or, with true, do not begin with.
func (k *Keyring) Others() (string, bool) {
	if p := k.Prefix(); p != "" {
		return p, true
	}
	return sealMark, false
}

// HasMark reports whether the seals of the first of the keys have a mark.
func (k *Keyring) HasMark() bool { return k.keys[0].id != k.plain }

// IsCurrent reports whether the key that encrypts has sealed a value.
func (k *Keyring) IsCurrent(sealed, ad []byte) bool {
	_, id, err := k.open(sealed, ad)
	return err == nil && id == k.Current()
}

// KeyOf returns the id of the key that has sealed a value, empty for one that has no mark and is not given, and whether it is given.
func (k *Keyring) KeyOf(sealed, ad []byte) (string, bool) {
	if _, id, err := k.open(sealed, ad); err == nil {
		return id, true
	}
	return sealedBy(sealed), false
}

// EncryptWithFirst makes the key that is given first the one that encrypts.
func (k *Keyring) EncryptWithFirst() { k.now = 0 }

// use takes the keys of a text, one a line or with commas between them, the one that encrypts first.
func (k *Keyring) use(text, source string) error {
	k.source, k.keys = source, nil
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
		raw, err := base64.StdEncoding.DecodeString(field)
		if err != nil || len(raw) != keySize {
			return fmt.Errorf("an encryption key must be %d bytes in base64 (for example from: openssl rand -base64 32); number %d of %s is not", keySize, len(k.keys)+1, source)
		}
		derived := func(use string) []byte { // no key is used for two things
			mac := hmac.New(sha512.New, raw)
			_, _ = mac.Write([]byte(use))
			return mac.Sum(nil)
		}
		one := key{id: string(derived("millrace key id")[:idSize])}
		if slices.Contains(k.IDs(), one.id) {
			return fmt.Errorf("the encryption key number %d of %s is there twice", len(k.keys)+1, source)
		}
		if one.aead, err = subtle.NewAESGCM(raw); err != nil {
			return err
		}
		if one.siv, err = daead.NewAESSIV(derived("millrace cursors")); err != nil { // which wants 64 bytes
			return err
		}
		k.keys = append(k.keys, one)
	}
	if len(k.keys) == 0 {
		return fmt.Errorf("%s has no encryption key: it is empty", source)
	}
	return nil
}

// Seal implements config.Sealer.
func (k *Keyring) Seal(plain, data []byte) ([]byte, error) {
	return k.keys[k.now].siv.EncryptDeterministically(plain, data)
}

// Open implements config.Sealer.
func (k *Keyring) Open(sealed, data []byte) ([]byte, error) {
	var err error
	for i := range k.keys {
		plain, wrong := k.keys[i].siv.DecryptDeterministically(sealed, data)
		if wrong == nil {
			return plain, nil
		}
		err = wrong
	}
	return nil, err
}

// NewKeyring takes the keys given as an option, which source names, or those of the key file in a data directory, if there is one.
func NewKeyring(option, source, dir string) (*Keyring, error) {
	k := &Keyring{dir: dir}
	if option != "" {
		return k, k.use(option, cmp.Or(source, "--encryption-key or MILLRACE_ENCRYPTION_KEY"))
	}
	path := KeyFile(dir)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read encryption key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("the encryption key %s may be read or changed by others (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read encryption key: %w", err)
	}
	return k, k.use(string(text), path)
}

// KeyFile returns the file that holds the key of a data directory.
func KeyFile(dataDir string) string { return filepath.Join(dataDir, "encryption.key") }

// Create creates the key file and takes its key; of processes that do so at the same time, one wins and all have its key.
// It reports whether it was this one.
func (k *Keyring) Create() (bool, error) {
	text, created, err := createKey(k.dir)
	if err != nil {
		return false, err
	}
	return created, k.use(text, KeyFile(k.dir))
}

// createKey creates the key file, or returns the key of another process that did so at the same time. It reports whether this
// process created it.
func createKey(dir string) (string, bool, error) {
	path, text := KeyFile(dir), newKey()
	// Created whole under another name, so that a crash leaves no half key; linked, so that of two processes that
	// start at once one wins.
	tmp, err := writeKeys(path, text)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = os.Remove(tmp) }()
	if err := os.Link(tmp, path); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return "", false, fmt.Errorf("store encryption key: %w", err)
		}
		other, err := os.ReadFile(path)
		return string(other), false, err
	}
	return text, true, syncDir(path)
}

// syncDir makes sure that the name of a file survives a loss of power: rows that a lost key has sealed would be lost with it.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("store encryption key: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("store encryption key: %w", err)
	}
	return nil
}

// newKey returns the text of a random key.
func newKey() string {
	raw := make([]byte, keySize)
	_, _ = rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw) + "\n"
}

// writeKeys writes keys to a file beside another, which the caller links or renames, and returns its name.
func writeKeys(beside, text string) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(beside), filepath.Base(beside)+".*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("create encryption key: %w", err)
	}
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		_ = os.Remove(tmp.Name())
		return "", fmt.Errorf("write encryption key: %w", err)
	}
	return tmp.Name(), nil
}

// AddKey puts a new key before those of a key file and returns its name. The file is replaced as a whole: a crash leaves the old one
// or the new one.
func AddKey(path string) (string, error) {
	before, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read encryption key: %w", err)
	}
	text := newKey()
	var k Keyring
	if err := k.use(text+string(before), path); err != nil {
		return "", err
	}
	tmp, err := writeKeys(path, text+string(before))
	if err != nil {
		return "", err
	}
	err = keepOwner(tmp, path)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return "", fmt.Errorf("store encryption key: %w", err)
	}
	return KeyName(k.keys[0].id), syncDir(path)
}

// keepOwner gives a new file the owner of the one that it replaces: the command may be run by another user than the server, which could
// not read its key any more.
func keepOwner(fresh, before string) error {
	info, err := os.Stat(before)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return os.Chown(fresh, int(owner.Uid), int(owner.Gid))
}
