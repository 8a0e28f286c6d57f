// Package days has the tests of whole days and weeks: the bot, its fleet, EC2 through
// the real SDK and a GitHub, in time of their own, on which nothing is to be relied on.
//
// Answers of GitHub, AWS, the bot and its store get lost before or after they took
// effect, webhooks come twice or never, there is no capacity, machines are taken
// away, and the bot dies at any write and comes back with what is stored.
//
// A day has one run. A life has weeks of them in one real database, on several pull
// requests and a release branch: people push, cancel and ask, GitHub is away for an hour,
// the database for five minutes, AWS for half an hour, and the clock is set. Each night
// the database is closed and opened again. Whatever ended is held against what was
// asked for, and what grew against the nights before.
package days
