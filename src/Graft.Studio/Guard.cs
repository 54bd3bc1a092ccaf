using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Graft.Studio;

/// <summary>
/// Lets in the person at this computer and nobody else: whoever knows the token, from a page of the studio's own, under its own name. A page from elsewhere that a
/// browser has open can send requests here; it cannot send them with this Host, this Origin and the cookie, which is not sent along from other sites.
/// </summary>
internal sealed class Guard(int port)
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private readonly string[] _hosts = [$"127.0.0.1:{port}", $"localhost:{port}"];

    private string Cookie => $"graft-studio-{port}";

    /// <summary>Unknown to anyone who has not seen the address.</summary>
    public string Token { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <exception cref="Refusal">The request is not let in.</exception>
    /// <returns>Whether the request was answered.</returns>
    public bool Check(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
        response.Headers.CacheControl = "no-store";
        var host = request.Host.Value ?? "";
        if (!_hosts.Contains(host, StringComparer.Ordinal)) throw new Refusal(403, $"This is {_hosts[0]}, not '{VisibleText.Of(host)}'.");
        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        var origin = request.Headers.Origin.ToString();
        if (origin.Length > 0 || !isRead)
        {
            if (origin != $"http://{host}") throw new Refusal(403, "Only the studio's own page may ask for this.");
        }
        if (request.Headers["Sec-Fetch-Site"].ToString() is not ("" or "same-origin" or "none")) throw new Refusal(403, "Only the studio's own page may ask for this.");
        if (request.Path == "/" && request.Query["token"].ToString() is { Length: > 0 } given && IsToken(given))
        {
            response.Cookies.Append(Cookie, Token, new() { HttpOnly = true, SameSite = SameSiteMode.Strict, IsEssential = true });
            // Out of the address bar and the history.
            response.Redirect("/");
            return true;
        }
        return IsToken(request.Cookies[Cookie] ?? "") ? false : throw new Refusal(403, "Open the whole address that the command has printed, with its token.");
    }

    private bool IsToken(string given) => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(given), Encoding.ASCII.GetBytes(Token));
}

/// <summary>A request that is not carried out, and why.</summary>
internal sealed class Refusal(int status, string reason) : Exception(reason)
{
    public int Status => status;
}
