package settings

// Server is what the page of the server shows of this process.
type Server struct{}
