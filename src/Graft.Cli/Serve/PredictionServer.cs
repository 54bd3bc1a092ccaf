using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Graft.Imaging;
using Graft.Inference;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graft.Cli.Serve;

/// <summary>Limits and place of a server; all have been checked.</summary>
internal sealed record ServerOptions(
    string Name, IPAddress Address, int Port, long MaxBodyBytes, long MaxPixels, int QueueLength, int Workers, int MaxConnections)
{
    /// <summary>Of all bodies at a time.</summary>
    public long MaxHeldBytes { get; init; } = Math.Max(256_000_000, 2 * MaxBodyBytes);
}

/// <summary>Answers with an exported model over HTTP: its own small API, the Open Inference Protocol v2, and a page to drop photos on.</summary>
internal sealed class PredictionServer : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly ServerOptions _options;
    private readonly ServedModel _model;
    private readonly PredictionQueue _queue;
    private readonly HeldBodies _bodies;
    private readonly ServerMetrics _metrics = new();
    private readonly WebApplication _app;

    /// <summary>Takes the model over.</summary>
    public PredictionServer(ServedModel model, ServerOptions options)
    {
        (_model, _options) = (model, options);
        _queue = new(model, options.QueueLength, options.Workers);
        _bodies = new(options.MaxHeldBytes);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Address, options.Port);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 5_000, gracePeriod: TimeSpan.FromSeconds(10));
        });
        builder.Services.Configure<FormOptions>(form =>
        {
            form.MultipartBodyLengthLimit = options.MaxBodyBytes;
            form.MemoryBufferThreshold = 1 << 20;
        });
        _app = builder.Build();
        _app.Use(AnswerProblems);
        _app.MapGet("/", () => Results.Text(Page, "text/html; charset=utf-8"));
        _app.MapPost("/predict", PredictAsync);
        _app.MapGet("/openapi/v1.json", () => Results.Text(OpenApi.Document(options.Name), "application/json"));
        _app.MapGet("/metrics", () => Results.Text(_metrics.ToText(_queue.Length, _model.Reloads), "text/plain; version=0.0.4; charset=utf-8"));
        _app.MapGet("/v2", () => Results.Json(new { Name = "graft", Version = Version, Extensions = Array.Empty<string>() }, Json));
        _app.MapGet("/v2/health/live", () => Results.Json(new { Live = true }, Json));
        _app.MapGet("/v2/health/ready", () => Results.Json(new { Ready = true }, Json));
        _app.MapGet("/v2/models/{name}", (string name) => Results.Json(Describe(name), Json));
        _app.MapGet("/v2/models/{name}/ready", (string name) => Results.Json(new { Name = Known(name), Ready = true }, Json));
        _app.MapPost("/v2/models/{name}/infer", InferAsync);
    }

    private static string Version => typeof(PredictionServer).Assembly.GetName().Version!.ToString(3);

    private static string Page
    {
        get
        {
            using var reader = new StreamReader(typeof(PredictionServer).Assembly.GetManifestResourceStream("serve.html")!);
            return reader.ReadToEnd();
        }
    }

    /// <summary>Where it answers, with the port that it was given.</summary>
    /// <exception cref="GraftException">The address or port is taken, or not of this machine.</exception>
    public async Task<string> StartAsync(CancellationToken cancellation)
    {
        try
        {
            await _app.StartAsync(cancellation);
        }
        catch (IOException problem)
        {
            throw new GraftException($"The server cannot listen on {_options.Address}, port {_options.Port}: {problem.Message}", problem)
            {
                Code = "port-taken",
            };
        }
        return _app.Urls.First();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _queue.DisposeAsync();
        _model.Dispose();
    }

    private async Task AnswerProblems(HttpContext context, RequestDelegate next)
    {
        await using var body = _bodies.Count(context.Request.Body);
        context.Request.Body = body;
        try
        {
            await next(context);
            if (context.Response is { StatusCode: 404 or 405, HasStarted: false })
            {
                await Refuse(context, context.Response.StatusCode, context.Response.StatusCode == 404
                    ? $"There is nothing at {context.Request.Path}. POST a photo to /predict; /openapi/v1.json lists the rest."
                    : $"{context.Request.Path} is not for {context.Request.Method}.");
            }
        }
        catch (Refusal refusal)
        {
            if (refusal.Status == 429) context.Response.Headers.RetryAfter = "1";
            await Refuse(context, refusal.Status, refusal.Message);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException problem)
        {
            await Refuse(context, problem.StatusCode, problem.StatusCode == 413 ? TooLarge : problem.Message);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client hung up.
            context.Response.StatusCode = 499;
        }
        catch (Exception problem)
        {
            Terminal.Warn($"{context.Request.Path}: {problem.Message}");
            await Refuse(context, 500, "Internal error. The server's log says more.");
        }
        finally
        {
            _metrics.CountRequest(Route(context), context.Response.StatusCode);
        }
    }

    private string TooLarge => string.Create(
        CultureInfo.InvariantCulture, $"The body is larger than {_options.MaxBodyBytes / 1_000_000.0:0.#} MB. Send a smaller photo.");

    private async Task PredictAsync(HttpContext context)
    {
        var top = 1;
        if (context.Request.Query.TryGetValue("top", out var text) && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out top) && top >= 1))
            throw new Refusal(400, $"Expected top to be a whole number of at least 1, found '{text}'.");
        var type = context.Request.ContentType?.Split(';')[0].Trim().ToLowerInvariant() ?? "";
        if (type == "multipart/form-data")
        {
            var files = (await Form(context)).Files;
            if (files.Count == 0) throw new Refusal(400, "The form has no file. Send each photo as a file of a multipart form.");
            var answers = new List<object>(files.Count);
            // All of them wait in the queue at once, as far as it has room.
            var pending = new List<(string Name, Task<Prediction> Answer)>();
            foreach (var file in files)
            {
                await using var stream = file.OpenReadStream();
                var content = await ImageContent.ReadToEndAsync(stream, cancellation: context.RequestAborted);
                pending.Add((file.FileName, Submit(content, context)));
            }
            foreach (var (name, answer) in pending)
            {
                try
                {
                    answers.Add(Answer(await answer, top, name));
                }
                catch (UnreadableImageException problem) when (files.Count > 1)
                {
                    answers.Add(new { File = name, Error = problem.Reason });
                }
                catch (UnreadableImageException problem)
                {
                    throw Unreadable(problem);
                }
            }
            await Write(context, new { Predictions = answers });
            return;
        }
        if (!(type.Length == 0 || type == "application/octet-stream" || type.StartsWith("image/", StringComparison.Ordinal)))
            throw new Refusal(415, $"Expected an image (image/jpeg, application/octet-stream) or a form (multipart/form-data), found {type}.");
        var body = await ImageContent.ReadToEndAsync(context.Request.Body, cancellation: context.RequestAborted);
        if (body.Length == 0) throw new Refusal(400, "The body is empty. Send the bytes of an image file.");
        try
        {
            await Write(context, Answer(await Submit(body, context), top, name: null));
        }
        catch (UnreadableImageException problem)
        {
            throw Unreadable(problem);
        }
    }

    private async Task<IFormCollection> Form(HttpContext context)
    {
        try
        {
            return await context.Request.ReadFormAsync(context.RequestAborted);
        }
        catch (InvalidDataException problem)
        {
            throw problem.Message.Contains("limit", StringComparison.OrdinalIgnoreCase) ? new Refusal(413, TooLarge) : new Refusal(400, problem.Message);
        }
        catch (IOException problem) when (problem is not Microsoft.AspNetCore.Http.BadHttpRequestException && !context.RequestAborted.IsCancellationRequested)
        {
            throw new Refusal(400, $"The form is not whole: {problem.Message}");
        }
    }

    private Task<Prediction> Submit(byte[] photo, HttpContext context) => Submit(model => model.Predict(photo), context);

    private async Task<Prediction> Submit(Func<Classifier, Prediction> predict, HttpContext context)
    {
        var watch = Stopwatch.StartNew();
        var task = _queue.TryAdd(predict, context.RequestAborted);
        if (task is null) throw new Refusal(429, $"{_options.QueueLength:N0} photos are waiting already. Try again in a second.");
        var prediction = await task;
        _metrics.CountPhoto(watch.Elapsed);
        return prediction;
    }

    private static Refusal Unreadable(UnreadableImageException problem) => new(
        problem.Reason.StartsWith("too large", StringComparison.Ordinal) ? 413
            : problem.Reason.Contains("not a picture", StringComparison.Ordinal) || problem.Reason.Contains("which is not decoded", StringComparison.Ordinal) ? 415 : 422,
        $"The photo cannot be read: {problem.Reason}");

    private static object Answer(Prediction prediction, int top, string? name)
    {
        var ranking = prediction.Top(top).Select(entry => new { entry.Class, entry.Probability });
        // Null of a model that does not know.
        bool? unlike = prediction.Unlikeness is null ? null : prediction.IsUnlikeTraining;
        return name is null
            ? new { prediction.Class, prediction.Probability, Unlike = unlike, Top = ranking }
            : new { File = name, prediction.Class, prediction.Probability, Unlike = unlike, Top = ranking };
    }

    private object Describe(string name)
    {
        var model = _model.Current;
        return new
        {
            Name = Known(name),
            Versions = new[] { "1" },
            Platform = "onnxruntime_onnx",
            Inputs = new[] { new { Name = ModelMetadata.PhotoInput, Datatype = "UINT8", Shape = (int[])[1, -1, -1, 3] } },
            Outputs = new[] { new { Name = ModelMetadata.ProbabilitiesOutput, Datatype = "FP32", Shape = (int[])[1, model.Classes.Count] } },
            Parameters = new { model.Classes, model.Backbone },
        };
    }

    private string Known(string name) => name == _options.Name ? name : throw new Refusal(404, $"There is no model '{name}'. This server has '{_options.Name}'.");

    private async Task InferAsync(HttpContext context, string name)
    {
        Known(name);
        var request = InferenceRequest.Parse(await ImageContent.ReadToEndAsync(context.Request.Body, cancellation: context.RequestAborted), _options.MaxPixels);
        var prediction = await Submit(model => model.Predict(request.Photo), context);
        await Write(context, new
        {
            ModelName = name,
            ModelVersion = "1",
            request.Id,
            Outputs = new[]
            {
                new { Name = ModelMetadata.ProbabilitiesOutput, Datatype = "FP32", Shape = (int[])[1, prediction.Probabilities.Count], Data = prediction.Probabilities },
            },
        });
    }

    private static Task Write(HttpContext context, object answer) => context.Response.WriteAsJsonAsync(answer, Json, context.RequestAborted);

    private static async Task Refuse(HttpContext context, int status, string reason)
    {
        if (context.Response.HasStarted) return;
        context.Response.StatusCode = status;
        await context.Response.WriteAsJsonAsync(new { Error = reason }, Json);
    }

    /// <summary>The path's pattern, so that callers cannot make up as many as they like.</summary>
    private static string Route(HttpContext context) =>
        (context.GetEndpoint() as Microsoft.AspNetCore.Routing.RouteEndpoint)?.RoutePattern.RawText ?? "other";
}
