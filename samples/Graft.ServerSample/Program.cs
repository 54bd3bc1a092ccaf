using Graft.Imaging;
using Graft.Inference;

// A web app of your own that predicts: an exported file and the package Graft.Inference.DependencyInjection.
//   dotnet run -- --model flowers/flowers.onnx
//   curl --data-binary @garden.jpg http://localhost:5000/predict
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddGraftClassifier(builder.Configuration["model"] ?? "flowers.onnx");
var app = builder.Build();
app.MapPost("/predict", async (HttpRequest request, Classifier classifier) =>
{
    try
    {
        var answer = await classifier.PredictAsync(request.Body, request.HttpContext.RequestAborted);
        return Results.Ok(new { answer.Class, answer.Probability });
    }
    catch (UnreadableImageException problem)
    {
        return Results.Problem(problem.Message, statusCode: StatusCodes.Status422UnprocessableEntity);
    }
});
app.Run();
