// Package days has the tests of whole days: the bot, its fleet, EC2 through the real
// SDK and a GitHub, in time of their own, on which nothing is to be relied on.
//
// Answers of GitHub, AWS, the bot and its store get lost before or after they took
// effect, webhooks come twice or never, there is no capacity, machines are taken
// away, and the bot dies at any write and comes back with what is stored.
package days
