using System.Security.Cryptography;
using System.Text;

namespace Graft.Runs.Reports;

/// <summary>A part of a page.</summary>
/// <param name="Id">By which a link leads to it.</param>
/// <param name="Title">Its heading, and its name in the navigation.</param>
/// <param name="Content">What it shows.</param>
/// <param name="IsAlarming">Whether its heading is to be seen before all others.</param>
internal sealed record PageSection(string Id, string Title, Markup Content, bool IsAlarming = false);

/// <summary>
/// What all pages have in common: one file that asks for nothing else, runs no script, and prints. A browser is told to load nothing but what
/// is in the page.
/// </summary>
internal static class Page
{
    /// <summary>By which a page of Graft's own is known, and may be replaced by a newer one.</summary>
    public const string Generator = "<meta name=\"generator\" content=\"Graft\">";

    private const string Style = """
        :root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --blue: 0 114 178 }
        * { box-sizing: border-box }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100% }
        body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--ink); background: #fff;
          margin: 0 auto; max-width: 62rem; padding: 1.2rem 1rem 4rem; print-color-adjust: exact; -webkit-print-color-adjust: exact;
          overflow-wrap: break-word }
        figure, figcaption, .card, .cards > *, .charts > *, .photos > *, .legend span { min-width: 0; overflow-wrap: anywhere }
        h1 { font-size: 1.7rem; line-height: 1.25; margin: .4rem 0 1rem; overflow-wrap: anywhere } h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem;
          padding-top: .7rem; border-top: 1px solid var(--line) } h3 { font-size: 1.02rem; margin: 1.6rem 0 .3rem }
        p { margin: .5rem 0 } .how { color: var(--soft); max-width: 46rem } a { color: #0a58a8 }
        nav { font-size: .93rem; margin-bottom: 1rem } nav a { margin-right: .9rem; white-space: nowrap }
        pre { background: #f3f5f7; padding: .7rem .9rem; border-radius: .4rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .88rem }
        code { overflow-wrap: anywhere }
        .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .8rem; margin: 1rem 0 }
        .card { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem }
        .card b { display: block; font-size: 1.55rem; line-height: 1.2; font-weight: 650 } .card span { color: var(--soft); font-size: .88rem; display: block }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem } .wide { overflow-x: auto; margin: .6rem 0 }
        th, td { padding: .22rem .7rem; text-align: right; border-bottom: 1px solid #eaeef2 } th { font-weight: 600; vertical-align: bottom }
        th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere } tbody th { font-weight: 400; text-align: left }
        table.words td, td.word, th.word { text-align: left } .keep { white-space: nowrap } table.words td:first-child { white-space: nowrap; color: var(--soft); vertical-align: top }
        .bar { background: linear-gradient(to right, rgb(var(--blue) / .26) var(--p), transparent 0) no-repeat; min-width: 6.2rem }
        tr.sum td, tr.sum th { border-bottom: 0; color: var(--soft) } tr.first td, tr.first th { border-top: 2px solid var(--line) }
        .matrix { width: auto; border-collapse: separate; border-spacing: 2px }
        .matrix td, .matrix th { border: 0 } .matrix td { text-align: center; padding: 0; min-width: 2.5rem; height: 2.1rem; border-radius: 3px }
        .matrix thead th:not(:first-child) { padding: .2rem 0; vertical-align: bottom; text-align: center }
        .matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 13rem; overflow-wrap: anywhere; text-align: left;
          line-height: 1.15; display: inline-block }
        .matrix tbody th { padding: 0 .5rem 0 0; text-align: right; vertical-align: middle; min-width: var(--name); max-width: 17rem; overflow-wrap: anywhere; line-height: 1.15 }
        .matrix .hit { outline: 2px solid #57606a; outline-offset: -2px }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.2rem 1.6rem; margin: .8rem 0 }
        .charts figure, .single { margin: 0; max-width: 34rem } .large { max-width: 46rem; margin: .8rem 0 }
        figcaption { font-size: .92rem } .charts figcaption b { font-weight: 600 }
        svg { display: block; width: 100%; height: auto } svg text { font-size: 12.5px; fill: #3c444d } .large svg text { font-size: 10.5px } svg .halo { paint-order: stroke; stroke: #fff; stroke-width: 3px }
        svg .grid { stroke: #e6eaee; fill: none } svg .line { fill: none; stroke-linejoin: round }
        .legend { list-style: none; padding: 0; margin: .3rem 0 0; font-size: .88rem; display: flex; flex-wrap: wrap; gap: .1rem 1rem }
        .legend li { display: flex; align-items: center; gap: .4rem; overflow-wrap: anywhere; min-width: 0 } .legend svg { width: 26px; height: 12px; flex: none }
        .photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.4rem, 1fr)); gap: 1rem .9rem; margin: .8rem 0 }
        .photos.pairs { grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)) }
        .photos figure { margin: 0; min-width: 0 } .photos img { display: inline-block; max-width: 100%; height: auto; border-radius: 4px; vertical-align: top }
        .pairs img { max-width: calc(50% - 3px) } .pairs img + img { margin-left: 4px }
        .photos .frame { height: 164px; display: flex; align-items: flex-end } .photos .pairs .frame, .pairs .frame { height: auto; display: block }
        .photos .frame img { max-height: 160px; width: auto }
        .photos figcaption { font-size: .84rem; line-height: 1.35; margin-top: .25rem; overflow-wrap: anywhere } .photos small { color: var(--soft); font-size: .76rem }
        .gone { display: flex; align-items: center; justify-content: center; background: #f3f5f7; color: var(--soft); width: 100%; height: 7rem; font-size: .8rem;
          border-radius: 4px; text-align: center; padding: .4rem }
        .note { background: #fdf3e3; overflow-wrap: anywhere; border-left: .35rem solid #e69f00; padding: .4rem .9rem; max-width: 46rem }
        h2.leak { background: #fde8d7; border-top: 0; border-left: .4rem solid #d55e00; padding: .4rem .8rem }
        .groups { display: flex; flex-wrap: wrap; gap: .8rem; margin: .8rem 0 } .group { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .7rem;
          max-width: 100% } .group > p { margin: 0 0 .3rem; font-size: .84rem } .group > div { display: flex; flex-wrap: wrap; gap: .7rem }
        .group figure { margin: 0; width: 8.6rem } .group img { max-width: 100%; height: auto; border-radius: 4px; display: block }
        .group figcaption, .group small { font-size: .78rem; line-height: 1.35; overflow-wrap: anywhere } .group small { color: var(--soft) }
        details { margin: .8rem 0 } summary { cursor: pointer; color: #0a58a8 } footer { margin-top: 3rem; color: var(--soft); font-size: .85rem }
        @media (max-width: 34rem) { body { padding: .8rem .8rem 3rem; font-size: 15px } h1 { font-size: 1.4rem } .bar { min-width: 3.7rem }
          th, td { padding: .2rem .3rem } table:not(.matrix) th:first-child { min-width: 5rem } .photos { grid-template-columns: repeat(auto-fill, minmax(8.6rem, 1fr)) } .group { padding: .5rem } .group figure { width: 9.6rem } }
        @media print { @page { margin: 14mm } body { font-size: 10.5pt; max-width: none; padding: 0 } nav { display: none } h2 { break-after: avoid } h3, .how { break-after: avoid }
          figure, .card, tr, .single, .note { break-inside: avoid } .wide { overflow: visible } .matrix { font-size: 8pt } .matrix td { min-width: 1.2rem; height: 1.2rem } .matrix tbody th { min-width: 0 }
          .photos { grid-template-columns: repeat(4, 1fr) } .photos.pairs { grid-template-columns: repeat(2, 1fr) } a { color: inherit; text-decoration: none } }
        """;

    /// <param name="script">The only one that a browser is told to run; null for none.</param>
    public static string ToHtml(string title, Markup body, string? script = null)
    {
        var allowed = script is null ? "" : $"; script-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)))}'";
        var element = new Markup(script is null ? "" : $"<script>{script}</script>");
        return new Html().Add($"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'{new Markup(allowed)}">
        <link rel="icon" href="data:,">{new Markup(Generator)}
        <title>{title}</title><style>{new Markup(Style)}</style></head><body>
        {body}{element}</body></html>

        """).ToString();
    }

    /// <summary>Links to sections.</summary>
    public static Markup Navigation(IEnumerable<PageSection> sections)
    {
        var html = new Html().Add($"<nav>");
        foreach (var section in sections) html.Add($"<a href=\"#{section.Id}\">{section.Title}</a> ");
        return html.Add($"</nav>\n");
    }

    /// <summary>Sections, one below the other.</summary>
    public static Markup Sections(IEnumerable<PageSection> sections)
    {
        var html = new Html();
        foreach (var section in sections)
        {
            var look = new Markup(section.IsAlarming ? " class=\"leak\"" : "");
            html.Add($"<section id=\"{section.Id}\"><h2{look}>{section.Title}</h2>\n{section.Content}</section>\n");
        }
        return html;
    }

    /// <summary>Writes a page, whole or not at all, with the folders that lead to it. A page that Graft wrote is replaced where that is asked for; nothing else is written over.</summary>
    /// <param name="code">Of what can go wrong, see <see cref="GraftException.Code"/>.</param>
    /// <exception cref="GraftException">There is a file of that name, or the disk is full or fails.</exception>
    public static void Write(string path, string html, bool replacesOwn, string code = "page-not-written")
    {
        try
        {
            if (File.Exists(path) && !(replacesOwn && IsOwn(path)))
                throw Refused($"There is a file {path} already, and nothing is written over.");
            if (Directory.Exists(path)) throw Refused($"{path} is a folder.");
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            WholeFile.Write(path, html, replaces: replacesOwn);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw Refused($"The page {path} cannot be written: {problem.Message}", problem);
        }

        GraftException Refused(string problem, Exception? cause = null) => new(problem, cause) { Code = code, Remedy = "Name another file." };
    }

    private static bool IsOwn(string path)
    {
        using var file = RegularFile.OpenText(path);
        var start = new char[1000];
        return new string(start, 0, file.ReadBlock(start)).Contains(Generator, StringComparison.Ordinal);
    }
}
