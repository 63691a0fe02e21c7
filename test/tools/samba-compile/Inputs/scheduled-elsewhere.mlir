// As --compile-to=schedule leaves a module, on another machine.
module attributes {samba.cpu = {features = "+none", name = "generic"}} {
}
