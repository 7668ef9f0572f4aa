// gorilla/websocket as client or backend; ../../README.md has the command line.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const protocol = "chat.v2"
const patience = 20 * time.Second

var kinds = map[int]string{websocket.TextMessage: "text", websocket.BinaryMessage: "binary"}

func describe(kind int, data []byte) string {
	return fmt.Sprintf("%s %d %x", kinds[kind], len(data), sha256.Sum256(data))
}

func describeEnd(err error) string {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return fmt.Sprintf("close %d %s", closed.Code, closed.Text)
	}
	return fmt.Sprintf("broken %v", err)
}

func control(socket *websocket.Conn, kind int, data []byte) error {
	return socket.WriteControl(kind, data, time.Now().Add(patience))
}

func sendClose(socket *websocket.Conn, words string) error {
	number, reason, _ := strings.Cut(words, " ")
	code, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	return control(socket, websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
}

// What does not fit the library's buffer of 4 KiB goes out in fragments.
func sendSplit(socket *websocket.Conn, data []byte) error {
	writer, err := socket.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	for start := 0; start < len(data); start += 1000 {
		if _, err := writer.Write(data[start:min(start+1000, len(data))]); err != nil {
			return err
		}
	}
	return writer.Close()
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func answer(socket *websocket.Conn, kind int, data []byte) error {
	text := ""
	if kind == websocket.TextMessage {
		text = string(data)
	}
	switch {
	case strings.HasPrefix(text, "please split "):
		return sendSplit(socket, []byte(strings.TrimPrefix(text, "please split ")))
	case strings.HasPrefix(text, "please ping "):
		return control(socket, websocket.PingMessage, []byte(strings.TrimPrefix(text, "please ping ")))
	case strings.HasPrefix(text, "please close "):
		return sendClose(socket, strings.TrimPrefix(text, "please close "))
	}
	return socket.WriteMessage(kind, data)
}

func serve() error {
	upgrader := websocket.Upgrader{EnableCompression: true, Subprotocols: []string{protocol}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tell := func(what string) { fmt.Println(r.URL.Path, what) }
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			tell(describeEnd(err))
			return
		}
		defer socket.Close()
		socket.SetPongHandler(func(data string) error {
			tell("pong " + data)
			return socket.WriteMessage(websocket.TextMessage, []byte(data))
		})
		for {
			kind, data, err := socket.ReadMessage()
			if err != nil {
				tell(describeEnd(err))
				return
			}
			tell(describe(kind, data))
			if err := answer(socket, kind, data); err != nil {
				tell(describeEnd(err))
				return
			}
		}
	}))
}

func step(socket *websocket.Conn, words string) error {
	what, detail, _ := strings.Cut(words, ":")
	switch what {
	case "ping":
		return control(socket, websocket.PingMessage, []byte(detail))
	case "close":
		return sendClose(socket, detail)
	}
	data, err := os.ReadFile(detail)
	if err != nil {
		return err
	}
	switch what {
	case "text":
		return socket.WriteMessage(websocket.TextMessage, data)
	case "binary":
		return socket.WriteMessage(websocket.BinaryMessage, data)
	case "split":
		return sendSplit(socket, data)
	}
	return fmt.Errorf("no step %q", words)
}

func connect(url string, mode string, steps []string) error {
	dialer := websocket.Dialer{
		EnableCompression: mode == "deflate",
		Subprotocols:      []string{"chat.v1", protocol},
	}
	socket, response, err := dialer.Dial(url, nil)
	if err != nil {
		return err
	}
	defer socket.Close()
	extensions, _, _ := strings.Cut(response.Header.Get("Sec-WebSocket-Extensions"), ";")
	fmt.Println("open", socket.Subprotocol(), extensions)

	events := make(chan string)
	socket.SetPongHandler(func(data string) error {
		events <- "pong " + data
		return nil
	})
	go func() {
		defer close(events)
		for {
			kind, data, err := socket.ReadMessage()
			if err != nil {
				events <- describeEnd(err)
				return
			}
			events <- describe(kind, data)
		}
	}()
	for _, words := range steps {
		if err := step(socket, words); err != nil {
			return err
		}
		fmt.Println(<-events)
	}
	return nil
}

func main() {
	log.SetFlags(0)
	if os.Args[1] == "serve" {
		log.Fatal(serve())
	}
	if err := connect(os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		log.Fatal(err)
	}
}
