// Package steps has the tests of a bot that dies after each single thing it does:
// each write of its store, each call that changes something on GitHub or in the cloud.
// A new process then goes on with what is stored, and every story has to end as it
// does when nothing goes wrong.
package steps
