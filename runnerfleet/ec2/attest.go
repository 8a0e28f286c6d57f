package ec2

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// notary checks instance identity documents against AWS's certificates, as
// docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-signature.html describes it.
type notary struct {
	keys []*rsa.PublicKey
}

// newNotary reads certificates. Their dates are not looked at: AWS has gone on
// signing with expired ones, and who holds the key is what counts.
func newNotary(certificates []byte) (*notary, error) {
	n := new(notary)
	for rest := certificates; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read AWS certificate %d: %w", len(n.keys)+1, err)
		}
		key, ok := cert.PublicKey.(*rsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("AWS certificate %d holds no RSA key", len(n.keys)+1)
		}
		n.keys = append(n.keys, key)
	}
	if len(certificates) > 0 && len(n.keys) == 0 {
		return nil, errors.New("no certificate in the file of AWS certificates: want PEM")
	}
	return n, nil
}

// Attest returns the instance that an identity document is of, and when it started.
func (c *Cloud) Attest(document, signature []byte) (string, time.Time, error) {
	if err := c.notary.verify(document, signature); err != nil {
		return "", time.Time{}, err
	}
	var d struct {
		InstanceID  string    `json:"instanceId"`
		PendingTime time.Time `json:"pendingTime"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return "", time.Time{}, fmt.Errorf("read identity document: %w", err)
	}
	if d.InstanceID == "" || d.PendingTime.IsZero() {
		return "", time.Time{}, errors.New("identity document names no instance or no time")
	}
	return d.InstanceID, d.PendingTime, nil
}

func (n *notary) verify(document, signature []byte) error {
	sum := sha256.Sum256(document)
	for _, k := range n.keys {
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil {
			return nil
		}
	}
	return fmt.Errorf("identity document is signed by none of %d AWS certificates", len(n.keys))
}
