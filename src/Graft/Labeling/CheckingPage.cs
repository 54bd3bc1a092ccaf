using System.Text.Json;
using Graft.Runs.Reports;

namespace Graft.Labeling;

/// <summary>A photo that a person is to look at.</summary>
/// <param name="Path">Full.</param>
/// <param name="Guess">What it is called.</param>
/// <param name="Remark">Shown below.</param>
public sealed record PhotoToCheck(string Path, string Guess, string Remark);

/// <summary>
/// A page on which a person answers by keys, photo by photo, and saves the answers as a table. It keeps nothing and asks for nothing: the answers leave it only in
/// the file that the person saves.
/// </summary>
public static class CheckingPage
{
    private const string Script = """
        const data = JSON.parse(document.getElementById('data').textContent), answers = new Array(data.photos.length).fill(null);
        const figures = [...document.querySelectorAll('figure')], say = document.getElementById('say');
        let at = 0;
        function show() {
          figures.forEach((figure, index) => { figure.hidden = index !== at; figure.querySelector('b').textContent = answers[index] === null ? '' : ' → ' + answers[index]; });
          const done = answers.filter(answer => answer !== null).length;
          say.textContent = `Photo ${at + 1} of ${answers.length}, ${done} answered.` + (done === answers.length ? ' Save the answers.' : '');
        }
        function answer(value) { answers[at] = value; if (at < answers.length - 1) at++; show(); }
        const cell = text => '"' + (/^[=+\-@\t\r\n'＝＋－＠]/.test(text) ? "'" : '') + text.replaceAll('"', '""') + '"';
        function save() {
          const rows = data.rows.map((row, index) => row + ',' + (data.written[data.choices.indexOf(answers[index])] ?? cell(answers[index] ?? '')));
          const link = document.createElement('a');
          link.href = URL.createObjectURL(new Blob([data.columns.join(',') + '\n' + rows.join('\n') + '\n'], { type: 'text/csv' }));
          link.download = data.file; link.click();
        }
        document.addEventListener('keydown', event => {
          if (event.ctrlKey || event.altKey || event.metaKey) return;
          const choice = data.keys.indexOf(event.key.toLowerCase());
          if (choice >= 0) answer(data.choices[choice]);
          else if (event.key === 'Enter' && event.target.tagName !== 'BUTTON') answer(data.photos[at][1] === '' ? data.choices[0] : data.enter === 'guess' ? data.photos[at][1] : data.choices[0]);
          else if (event.key === 'Backspace' || event.key === 'ArrowLeft') { at = Math.max(0, at - 1); show(); }
          else if (event.key === 'ArrowRight') { at = Math.min(answers.length - 1, at + 1); show(); }
        });
        document.querySelectorAll('button[data-choice]').forEach(button => button.addEventListener('click', () => answer(data.choices[button.dataset.choice])));
        document.getElementById('save').addEventListener('click', save);
        show();
        """;

    /// <param name="columns">Of the table that is saved: path, guess, …, and the answer last.</param>
    /// <param name="cells">For each photo the cells of all columns but the last; the first two are path and guess.</param>
    /// <param name="choices">What can be answered, with the key for each.</param>
    /// <param name="enterTakesGuess">Whether Enter answers with the guess; else with the first choice.</param>
    public static string ToHtml(
        string title, string question, IReadOnlyList<PhotoToCheck> photos, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> cells,
        IReadOnlyList<(string Choice, string Key)> choices, bool enterTakesGuess, string fileName)
    {
        var body = new Html().Add($"<h1>{title}</h1>\n<p>{question}</p>\n<p id=\"say\" aria-live=\"polite\"></p>\n<p>");
        for (var choice = 0; choice < choices.Count; choice++) body.Add($"<button data-choice=\"{choice}\">{choices[choice].Choice} ({choices[choice].Key})</button> ");
        body.Add($"<button id=\"save\">Save the answers</button></p>\n<p class=\"how\">{(enterTakesGuess ? "Enter takes the guess. " : "")}Backspace goes back. The answers are saved as a table, {fileName}.</p>\n<div class=\"photos\">\n");
        foreach (var (photo, picture) in photos.Zip(PhotoSections.Thumbnails([.. photos.Select(photo => photo.Path)], sidePixels: 480)))
            body.Add($"<figure hidden><div class=\"frame\">{picture}</div><figcaption>{photo.Guess}<b></b><br><small>{photo.Remark} {Html.FileName(Path.GetFileName(photo.Path))}</small></figcaption></figure>\n");
        body.Add($"</div>\n");
        var data = JsonSerializer.Serialize(new
        {
            photos = cells,
            // As tables of Graft have them, so that each path is found again.
            rows = cells.Select(row => CsvFile.Line(row).TrimEnd('\n')),
            written = choices.Select(choice => CsvFile.Line(choice.Choice).TrimEnd('\n')),
            columns,
            choices = choices.Select(choice => choice.Choice),
            keys = choices.Select(choice => choice.Key),
            enter = enterTakesGuess ? "guess" : "first",
            file = fileName,
        });
        // The default encoder leaves no bracket that could end the element.
        body.Add(new Markup($"<script id=\"data\" type=\"application/json\">{data}</script>\n"));
        return Page.ToHtml(title, body, Script);
    }
}
