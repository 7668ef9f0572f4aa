// The one translation unit in which Beast's and Asio's TLS code is compiled.
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
