package hubrt

// Clients selects receivers. Unknown ids, groups and users select nobody. What is selected is looked up at each Target.Send.
type Clients struct {
	hub *Hub
}

// All is every connection of the hub.
func (c Clients) All() Target { return Target{hub: c.hub, kind: toAll} }

// AllExcept is all but the connections with these ids.
func (c Clients) AllExcept(ids ...string) Target {
	return Target{hub: c.hub, kind: toAll, except: ids}
}

// Client is one connection, by its public id.
func (c Clients) Client(id string) Target { return Target{hub: c.hub, kind: toClient, name: id} }

// Clients are the listed connections, each once.
func (c Clients) Clients(ids ...string) Target {
	return Target{hub: c.hub, kind: toClients, names: ids}
}

// Group is the members of a group.
func (c Clients) Group(group string) Target { return Target{hub: c.hub, kind: toGroup, name: group} }

// Groups is the members of several groups; one that is in two of them gets the message twice.
func (c Clients) Groups(groups ...string) Target {
	return Target{hub: c.hub, kind: toGroups, names: groups}
}

// GroupExcept is the members of a group but the connections with these ids.
func (c Clients) GroupExcept(group string, ids ...string) Target {
	return Target{hub: c.hub, kind: toGroup, name: group, except: ids}
}

// User is all connections of a user; user ids have regard to case.
func (c Clients) User(id string) Target { return Target{hub: c.hub, kind: toUser, name: id} }

// Users is all connections of the listed users, each once.
func (c Clients) Users(ids ...string) Target {
	return Target{hub: c.hub, kind: toUsers, names: ids}
}

// CallerClients adds the selectors that need a caller.
type CallerClients struct {
	selectors
	caller *Conn
}

// selectors is Clients under a name that, embedded, does not hide its method Clients.
type selectors = Clients

// Client is one connection, by its public id.
func (c CallerClients) Client(id string) Target {
	return Target{hub: c.hub, kind: toClient, name: id, conn: c.caller}
}

// Caller is the calling connection.
func (c CallerClients) Caller() Target { return Target{hub: c.hub, kind: toCaller, conn: c.caller} }

// Others is all but the caller.
func (c CallerClients) Others() Target { return Target{hub: c.hub, kind: toAll, conn: c.caller} }

// OthersInGroup is the members of a group but the caller.
func (c CallerClients) OthersInGroup(group string) Target {
	return Target{hub: c.hub, kind: toGroup, name: group, conn: c.caller}
}
