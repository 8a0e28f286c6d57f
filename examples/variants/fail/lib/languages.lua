-- How the languages we speak say hello.
return {
    en = "hello",
    de = "halo",
    fr = "bonjour",
}
