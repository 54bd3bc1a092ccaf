using System.Globalization;
using System.Text.Json;
using Graft.Data.Collections;
using Graft.Imaging;
using Graft.Runs;
using Graft.Training;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Graft.Studio;

/// <summary>What the page asks for and orders. Photos go by their ids; a path is taken only where a person names a folder to open or to write.</summary>
internal sealed class StudioApi(Workbench workbench)
{
    private const int MostPhotosAtOnce = 500, LargeSidePixels = 1600, BatchOfLookAlikes = 12;

    private sealed record OpenRequest(string? Folder, string? Name);

    private sealed record LabelRequest(IReadOnlyList<string>? Ids, string? Class, string? Guess, bool? IsRandom);

    private sealed record TrainRequest(string? Backbone, Strategy? Strategy, int? Epochs);

    private sealed record ExportRequest(string Target, string? Path, bool IsFineTuned);

    private OpenProject Open => workbench.Current ?? throw new Refusal(409, "No project is open.");

    public void Map(WebApplication app)
    {
        app.MapGet("/api/state", context => Write(context, StudioState.Of(workbench)));
        app.MapPost("/api/open", async context => await Answer(context, await Body<OpenRequest>(context), request => workbench.Open(Named(request.Folder))));
        app.MapPost("/api/new", async context => await Answer(context, await Body<OpenRequest>(context), request => workbench.Create(Named(request.Name))));
        app.MapPost("/api/drop", DropAsync);
        app.MapGet("/api/photos", context => Write(context, List(context.Request.Query)));
        app.MapGet("/api/photo/{id}", context => Write(context, Details(PhotoOf(context))));
        app.MapGet("/photos/{id}/thumb", ThumbAsync);
        app.MapGet("/photos/{id}/large", context => Picture(context, image => Resampler.Shrink(image, LargeSidePixels)));
        app.MapGet("/photos/{id}/seen", context => Picture(context, image => Open.Learner.Features.Blocks.Blocks[0].Preprocessing.Resize(image)));
        app.MapGet("/photos/{id}/heat", context => Picture(context, image =>
            Open.Learner.Explain(Resampler.Shrink(image, 400), context.Request.Query["class"].ToString() is { Length: > 0 } name ? LearnedClass(name) : null)
                ?? throw new Refusal(409, "Nothing has been learned yet.")));
        app.MapPost("/api/label", async context => await Answer(context, await Body<LabelRequest>(context), request =>
            Open.Project.Label(Photos(request), request.Class, request.Guess, request.IsRandom)));
        app.MapPost("/api/keep", async context => await Answer(context, await Body<LabelRequest>(context), request => Open.Project.Keep(Photos(request))));
        app.MapPost("/api/class", async context =>
        {
            var name = Named((await Body<LabelRequest>(context)).Class);
            await Write(context, new { Class = await Task.Run(() => Open.Project.AddClass(name)) });
        });
        app.MapPost("/api/undo", context => Write(context, new { Undone = Open.Project.Undo()?.Photos.Select(Photo.IdOf) }));
        app.MapPost("/api/check", context => Answer(context, 0, _ => Open.Check.Start()));
        app.MapPost("/api/learn", context => Answer(context, 0, _ => Open.Learner.GoAhead()));
        app.MapGet("/api/look", context => Write(context, Look()));
        app.MapGet("/api/next", context => Write(context, Next()));
        app.MapPost("/api/skip", async context => await Answer(context, await Body<LabelRequest>(context), request =>
        {
            foreach (var photo in Photos(request)) Open.Suggestions.Skip(photo.Id);
        }));
        app.MapGet("/api/batch", context => Write(context, Batch()));
        app.MapPost("/api/use", UseAsync);
        app.MapPost("/api/train", async context => await Answer(context, await Body<TrainRequest>(context), Train));
        app.MapPost("/api/train/cancel", context => Answer(context, 0, _ => Open.Jobs.Cancel()));
        app.MapPost("/api/train/resume", context => Answer(context, 0, _ => Open.Jobs.Resume()));
        app.MapGet("/api/export", context => Write(context, new { Path = Open.Exports.UsualPath(context.Request.Query["target"].ToString()) }));
        app.MapPost("/api/export", ExportAsync);
        app.MapPost("/api/apply", context =>
        {
            var (moved, left) = FolderMoves.Apply(Open.Project);
            return Write(context, new { Moved = moved, Left = left });
        });
        app.MapPost("/api/apply/undo", context =>
        {
            var result = FolderMoves.Undo(Open.Project);
            return Write(context, new { Moved = result?.Moved ?? 0, Left = result?.Left ?? [] });
        });
    }

    private static Task Write(HttpContext context, object? answer) => context.Response.WriteAsJsonAsync(answer, StudioServer.Json, context.RequestAborted);

    private static async Task Answer<T>(HttpContext context, T request, Action<T> carryOut)
    {
        await Task.Run(() => carryOut(request));
        await Write(context, new { Done = true });
    }

    private static async Task<T> Body<T>(HttpContext context) =>
        await JsonSerializer.DeserializeAsync<T>(context.Request.Body, StudioServer.Json, context.RequestAborted) ?? throw new JsonException();

    private static string Named(string? value) => string.IsNullOrWhiteSpace(value) ? throw new Refusal(400, "Type a name first.") : value.Trim();

    private Photo PhotoOf(HttpContext context)
    {
        var id = (string?)context.Request.RouteValues["id"] ?? "";
        return Open.Project.Find([id]) is [var photo] ? photo : throw new Refusal(404, "There is no photo with this id.");
    }

    private IReadOnlyList<Photo> Photos(LabelRequest request)
    {
        if (request.Ids is not { Count: > 0 } ids) throw new Refusal(400, "Select photos first.");
        var found = Open.Project.Find(ids);
        return found.Count == ids.Count ? found : throw new Refusal(404, ids.Count == 1 ? "This photo is no longer part of the project." : $"{ids.Count - found.Count:N0} of these photos are no longer part of the project. Nothing has changed.");
    }

    private string LearnedClass(string name) =>
        Open.Learner.Current?.Classes.Contains(name) != false ? name : throw new Refusal(404, $"The model has not learned a class '{VisibleText.Of(name)}'.");

    private object List(IQueryCollection query)
    {
        var open = Open;
        var (now, learned) = (open.Project.Labeling, open.Learner.Current);
        IReadOnlyList<int> numbers = query["ids"].ToString() is { Length: > 0 } ids
            ? [.. ids.Split(',').Select(now.NumberOf).Where(number => number >= 0)]
            // Of the labeling that is listed: another may have come meanwhile.
            : PhotoViews.Of(query["view"].ToString(), now, learned, open.Check.Current) ?? throw new Refusal(400, "There is no such view.");
        var (offset, count) = (Number("offset", 0), Math.Min(MostPhotosAtOnce, Number("count", MostPhotosAtOnce)));
        return new
        {
            Total = numbers.Count,
            now.Version,
            Photos = numbers.Skip(offset).Take(count).Select(number => Item(now.Photos[number], now.Labels[number], learned, open.Check.Current)),
        };

        int Number(string name, int otherwise) =>
            query[name].ToString() is not { Length: > 0 } text ? otherwise
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value
            : throw new Refusal(400, $"Expected {name} as a whole number from 0 on.");
    }

    private static object Item(Photo photo, string? label, Learned? learned, PhotoProblems? check)
    {
        var guess = learned?.Guesses.GetValueOrDefault(photo.Id);
        return new
        {
            photo.Id,
            photo.Name,
            Label = label,
            Guess = guess is null ? null : learned!.Classes[guess.Best],
            Probability = guess?.Probability,
            Problem = check?.Problems.GetValueOrDefault(photo.Id),
        };
    }

    private object Details(Photo photo)
    {
        var open = Open;
        var (now, learned) = (open.Project.Labeling, open.Learner.Current);
        var guess = learned?.Guesses.GetValueOrDefault(photo.Id);
        return new
        {
            photo.Id,
            photo.Name,
            photo.Place,
            Label = now.NumberOf(photo.Id) is >= 0 and var number ? now.Labels[number] : null,
            IsKept = now.Kept.Contains(photo.Place),
            Problem = open.Check.Current?.Problems.GetValueOrDefault(photo.Id),
            Probabilities = guess is null ? [] : learned!.Classes.Zip(guess.Probabilities, (name, probability) => (object)new { Class = name, Probability = probability }),
        };
    }

    private async Task ThumbAsync(HttpContext context)
    {
        var photo = PhotoOf(context);
        var key = Thumbnails.KeyOf(photo);
        context.Response.Headers.ETag = $"\"{key}\"";
        context.Response.Headers.CacheControl = "private, no-cache";
        if (context.Request.Headers.IfNoneMatch == $"\"{key}\"")
        {
            context.Response.StatusCode = 304;
            return;
        }
        await Jpeg(context, await workbench.Thumbnails.OfAsync(photo, key, context.RequestAborted));
    }

    private async Task Picture(HttpContext context, Func<RgbImage, RgbImage> show)
    {
        var photo = PhotoOf(context);
        _ = Thumbnails.KeyOf(photo);
        await Jpeg(context, await Task.Run(() => PhotoFile.Decode(photo.Path, image => JpegEncoder.Encode(show(image), quality: 88)), context.RequestAborted));
    }

    private static async Task Jpeg(HttpContext context, byte[] jpeg)
    {
        context.Response.ContentType = "image/jpeg";
        context.Response.ContentLength = jpeg.Length;
        await context.Response.Body.WriteAsync(jpeg, context.RequestAborted);
    }

    private async Task DropAsync(HttpContext context)
    {
        var (name, @class) = (context.Request.Query["name"].ToString(), context.Request.Query["class"].ToString());
        var content = await ImageContent.ReadToEndAsync(context.Request.Body, cancellation: context.RequestAborted);
        var open = Open;
        var photo = await Task.Run(() => open.Project.Add(name.Length == 0 ? "photo.jpg" : name, content, @class.Length == 0 ? null : @class));
        await Write(context, new { photo.Id });
    }

    private async Task UseAsync(HttpContext context)
    {
        var content = await ImageContent.ReadToEndAsync(context.Request.Body, cancellation: context.RequestAborted);
        var open = Open;
        var learned = open.Learner.Current ?? throw new Refusal(409, "Nothing has been learned yet. Give at least two photos to each of two classes.");
        await Write(context, await Task.Run(() =>
        {
            var image = ImageDecoder.Decode(content);
            var prediction = learned.Model.Predict(image);
            string? heat = null;
            if (context.Request.Query["heat"] != "false" && open.Learner.Explain(Resampler.Shrink(image, 400), prediction.Class) is { } map)
                heat = $"data:image/jpeg;base64,{Convert.ToBase64String(JpegEncoder.Encode(map))}";
            return new
            {
                Classes = prediction.Ranking.Select(entry => new { entry.Class, entry.Probability }),
                Heat = heat,
                prediction.IsUnlike,
            };
        }));
    }

    private object Look()
    {
        var open = Open;
        if (open.Learner.Current is not { } learned) return new { Classes = Array.Empty<string>() };
        var now = open.Project.Labeling;
        var cells = learned.Judged.CountBy(photo => (photo.Label, photo.Guess)).ToDictionary(entry => entry.Key, entry => entry.Value);
        return new
        {
            learned.Classes,
            learned.Sentence,
            Confusions = cells.Where(cell => cell.Key.Label != cell.Key.Guess).OrderByDescending(cell => cell.Value).ThenBy(cell => cell.Key).Select(cell => new
            {
                View = $"cell:{cell.Key.Label}:{cell.Key.Guess}",
                Sentence = $"{cell.Value:N0} {learned.Classes[cell.Key.Label]} taken for {learned.Classes[cell.Key.Guess]}",
            }),
            Matrix = learned.Classes.Select((_, label) => learned.Classes.Select((_, guess) => cells.GetValueOrDefault((label, guess)))),
            Tabs = PhotoViews.Tabs.ToDictionary(view => view, view => open.View(view)?.Count ?? 0),
            Map = (learned.Insights?.Map ?? new Dictionary<string, Evaluation.MapPoint>()).Where(entry => now.NumberOf(entry.Key) >= 0).Select(entry =>
                new object?[] { entry.Key, Math.Round(entry.Value.X, 3), Math.Round(entry.Value.Y, 3), now.Labels[now.NumberOf(entry.Key)] }),
        };
    }

    private object Next()
    {
        var open = Open;
        var suggestion = open.Learner.Current is { } learned
            ? open.Suggestions.Next(learned)
            : null;
        return new
        {
            Photo = suggestion?.Photo.Id,
            suggestion?.Photo.Name,
            suggestion?.IsRandom,
            Classes = suggestion is null ? [] : open.Learner.Current!.Classes.Zip(suggestion.Guess.Probabilities, (name, probability) => (Class: name, Probability: probability))
                .OrderByDescending(entry => entry.Probability).Select(entry => new { entry.Class, entry.Probability }).ToArray<object>(),
        };
    }

    private object Batch()
    {
        var open = Open;
        return open.Learner.Current is { } learned && open.Suggestions.LookAlikes(learned, BatchOfLookAlikes) is var (name, photos)
            ? new { Class = name, Photos = photos.Select(photo => new { photo.Id, photo.Name }) }
            : new { Class = "", Photos = Enumerable.Empty<object>().Select(_ => new { Id = "", Name = "" }) };
    }

    private void Train(TrainRequest request) => Open.Jobs.Start(new TrainingRequest
    {
        Backbones = string.IsNullOrWhiteSpace(request.Backbone) ? [Open.Learner.Features.Backbone] : BackboneRequests.Named(request.Backbone.Trim()),
        Strategy = request.Strategy ?? Strategy.FineTune,
        Epochs = request.Epochs,
    });

    private async Task ExportAsync(HttpContext context)
    {
        var request = await Body<ExportRequest>(context);
        if (request.Target is not ("onnx" or "csharp" or "server" or "web" or "card" or "csv" or "folders")) throw new Refusal(400, "There is no such export.");
        var open = Open;
        await open.Exporting.WaitAsync(context.RequestAborted);
        try
        {
            var path = request.Path is { Length: > 0 } given ? given : open.Exports.UsualPath(request.Target);
            // A window that is closed does not stop it.
            await Write(context, await open.Exports.WriteAsync(request.Target, path, request.IsFineTuned, new Relay(step =>
            {
                open.ExportProgress = step;
                workbench.Tell();
            }), CancellationToken.None));
        }
        finally
        {
            open.ExportProgress = null;
            open.Exporting.Release();
            workbench.Tell();
        }
    }

    private sealed class Relay(Action<StepProgress> report) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => report(value);
    }
}
